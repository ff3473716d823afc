'''Which box to take.'''
from postage.parcels import fits
BOXES=( ('S',(25,18,10)),('M',(38,25,15)),('L',(60,40,30)) )
def smallest(size):
    '''The smallest box that fits, or None.

    >>> smallest((10, 20, 5))
    'S'
    >>> smallest((30, 20, 16))
    'L'
    >>> smallest((90, 20, 16)) is None
    True
    '''
    for name,limit in BOXES:
        if fits(size,limit): return name
    return None
def volume( size ):
    '''Litres, rounded up.

    >>> volume((25, 18, 10))
    5
    '''
    length,width,height=size
    return -(-length*width*height//1000)
