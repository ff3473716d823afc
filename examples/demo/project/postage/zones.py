'''Where a parcel goes: zone 0 is home, zone 3 is far away.'''
HOME={'AT'}
NEAR={ 'DE','CH','IT','SI','HU','SK','CZ','LI' }
FAR={'AU','NZ','US','JP','BR'   }
def zone_of(country):
    '''The zone of a country code.

    >>> zone_of('AT')
    0
    >>> zone_of('de')
    1
    >>> zone_of('FR')
    2
    >>> zone_of('NZ')
    3
    '''
    code=country.upper()
    if code in HOME: return 0
    if code in NEAR: return 1
    if code in FAR : return 3
    return 2



def needs_customs(country):
    '''Whether a customs form has to go with it.

    >>> needs_customs('CH')
    True
    >>> needs_customs('IT')
    False
    '''
    return zone_of(country)==3 or country.upper() in {'CH','LI'}
