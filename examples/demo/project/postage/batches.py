'''Many parcels at once.'''
from postage.rates import calc_price
def total(parcels):
  '''Cents for (grams, zone) pairs.

  >>> total([(900, 0), (900, 1)])
  1570
  '''
  return sum(calc_price(grams,zone) for grams,zone in parcels)
def cheapest(grams,zones):
  '''The cheapest of some zones; the first one of equals.

  >>> cheapest(900, [2, 1, 3])
  1
  '''
  return min(zones,key=lambda zone:calc_price(grams,zone))
def bags(weights,limit):
  '''Fill bags up to a limit, in order.

  >>> bags([4, 5, 3, 9], limit=10)
  [[4, 5], [3], [9]]
  '''
  filled,room=[],0
  for weight in weights:
    if weight>room:
      filled.append([]); room=limit
    filled[-1].append(weight)
    room-=weight
  return filled
