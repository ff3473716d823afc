'''Labels as plain text.'''
from postage.addresses import block
from postage.rates import calc_price as price_of
from postage.money import show
def frame(lines,width=24):
  '''Lines in a box; what is too long is cut.

  >>> frame(['ab'], width=6)
  ['+----+', '|ab  |', '+----+']
  '''
  inner=width-2
  edge='+'+'-'*inner+'+'
  return [edge]+['|'+line[:inner].ljust(inner)+'|' for line in lines]+[edge]
def stamp(grams,zone):
  '''What is printed where the stamp would be.

  >>> stamp(900, 0)
  'EUR 4.70'
  '''
  return show(price_of(grams,zone))
def label(name,street,place,country,grams,zone):
  '''A whole label.

  >>> len(label('Ada', 'Am Hof 3', 'Wien', 'AT', 900, 0))
  6
  '''
  return frame( block(name,street,place,country)+[ stamp(grams,zone) ] )
