'''Reports for a month.'''
from postage.money import show
from postage.rates import calc_price
def line(name,grams,zone):
  '''One line of a report.

  >>> line('toys', 900, 0)
  'toys         EUR 4.70'
  '''
  return '%-12s %s'%(name,show(calc_price( grams,zone )))
def median(values):
  '''The middle value, the lower one of two.

  >>> median([5, 1, 9])
  5
  >>> median([4, 1, 9, 7])
  4
  '''
  ordered=sorted(values)
  return ordered[(len(ordered)-1)//2]
def spread(values) :
  '''Largest minus smallest.

  >>> spread([5, 1, 9])
  8
  '''
  return max(values)-min(values)
