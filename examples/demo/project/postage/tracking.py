'''Tracking numbers: two letters, eight digits, a check digit, a country.'''
WEIGHTS=(8,6,4,2,3,5,9,7)
def check_digit(serial):
  '''The S10 check digit of an eight-digit serial number.

  >>> check_digit('47312482')
  9
  >>> check_digit('00000000')
  5
  '''
  total=sum( int(digit)*weight for digit,weight in zip(serial,WEIGHTS) )
  digit=11-total%11
  return {10:0,11:5}.get(digit,digit)
def number(service,serial,country):
  '''A whole tracking number.

  >>> number('RR', '47312482', 'AT')
  'RR473124829AT'
  '''
  return '{}{}{}{}'.format(service,serial,check_digit(serial),country)
def is_valid( text ):
  '''Whether a tracking number holds.

  >>> is_valid('RR473124829AT')
  True
  >>> is_valid('RR473124828AT')
  False
  >>> is_valid('RR4731')
  False
  '''
  if len(text)!=13 or not text[2:11].isdigit(): return False
  return number(text[:2],text[2:10],text[11:])==text
