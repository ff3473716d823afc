'''Days on the road; weekdays count from Monday, 0.'''
DAYS=(1,2,3,8)
def is_working_day(weekday):
    '''Monday to Friday.

    >>> is_working_day(4)
    True
    >>> is_working_day(5)
    False
    '''
    return weekday%7<5
def arrival(weekday,zone,express=False):
    '''The weekday it arrives: only working days count.

    >>> arrival(4, 0)
    0
    >>> arrival(0, 1)
    2
    >>> arrival(0, 3, express=True)
    4
    '''
    left=DAYS[zone] if not express else ( DAYS[zone]+1 )//2
    while left>0 :
        weekday=( weekday+1 )%7
        if is_working_day(weekday): left-=1
    return weekday
