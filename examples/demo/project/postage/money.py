'''Amounts of money in whole cents.'''
def round_up(cents,step):
  '''The next multiple of step that is not below cents.

  >>> round_up(101, 5)
  105
  >>> round_up(100, 5)
  100
  '''
  rest=cents%step
  if rest==0 : return cents
  return cents+step-rest
def share(cents,parts) :
  '''Split cents into parts that differ by one cent at most, larger ones first.

  >>> share(10, 3)
  [4, 3, 3]
  '''
  each,rest=divmod(cents,parts)
  return [each+1]*rest+[each]*(parts-rest)
def show( cents ):
  '''Euros and cents, as on a receipt.

  >>> show(1205)
  'EUR 12.05'
  >>> show(-5)
  'EUR -0.05'
  '''
  sign='-' if cents<0 else ''
  return 'EUR %s%d.%02d'%(sign,abs(cents)//100,abs(cents)%100)
