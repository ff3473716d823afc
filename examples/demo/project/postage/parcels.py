'''A parcel and what it costs.'''
from postage.rates import calc_price
from postage.weights import chargeable
from postage.zones import zone_of
def price(country,grams,size=(10,10,10),express=False):
    '''Cents for a parcel of these grams and centimetres.

    >>> price('DE', 1500)
    1220
    >>> price('NZ', 200, (40, 40, 40), True)
    16215
    '''
    billed=chargeable( grams,*size )
    return calc_price(billed,zone_of(country),express)
def fits(size,limit=(120,60,60)):
    '''Whether a box can be turned so that it fits.

    >>> fits((60, 110, 20))
    True
    >>> fits((70, 70, 70))
    False
    '''
    return all( a<=b for a,b in zip(sorted(size),sorted(limit)) )
