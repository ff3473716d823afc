'''What it costs to send a parcel.'''
import warnings
from postage.money import round_up
BASE=(410,980,1480,2490)
PER_KILO=( 60,120,210,640 )
def quote(zone,grams,*,express=False):
  '''Price in cents for a zone and a weight.

  >>> quote(0, 900)
  470
  >>> quote(3, 2400, express=True)
  6615
  '''
  kilos=-(-grams//1000)
  cents=BASE[zone]+kilos*PER_KILO[zone]
  if express: cents=cents*3//2
  return round_up(cents,5)


def calc_price(grams,zone,express=False):
  '''Deprecated: use quote, which takes the zone first.

  >>> calc_price(900, 0)
  470
  '''
  warnings.warn('calc_price is deprecated, use quote',DeprecationWarning,stacklevel=2)
  return quote(zone,grams,express=express)
