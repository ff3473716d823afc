'''Customs duties, in cents.'''
DUTY={'books':0,'toys':4,'shoes':17}
FREE_BELOW=15000
def duty(kind,cents):
 '''Duty on goods of a kind; small consignments are free.

 >>> duty('shoes', 20000)
 3400
 >>> duty('shoes', 15000)
 0
 >>> duty('tea', 20000)
 2000
 '''
 if cents<=FREE_BELOW: return 0
 return cents*DUTY.get(kind,10)//100
def declared(items):
 '''Sum of (count, cents) pairs.

 >>> declared([(2, 500), (1, 250)])
 1250
 '''
 return sum(count*cents for count,cents in items)
