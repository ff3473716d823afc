'''What regular senders save.'''
from postage import rates
STEPS=((1000,20),(250,12),(50,5))
def percent(parcels):
   '''Percent off for so many parcels a year.

   >>> percent(49)
   0
   >>> percent(250)
   12
   '''
   for least,off in STEPS:
      if parcels>=least: return off
   return 0
def discounted(zone,grams,parcels):
   '''Cents after the discount, rounded to the sender's good.

   >>> discounted(1, 900, 300)
   968
   >>> discounted(1, 900, 0)
   1100
   '''
   full=rates.calc_price(grams,zone)
   return full-full*percent(parcels)//100
