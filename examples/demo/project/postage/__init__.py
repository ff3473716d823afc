'''Prices, labels and tracking numbers for parcels.'''
VERSION='0.9.0'
