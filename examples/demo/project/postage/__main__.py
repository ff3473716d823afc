'''python -m postage COUNTRY WEIGHT [SIZE]'''
import sys
from postage.money import show
from postage.parcels import price
from postage.parsing import grams,size
def main(arguments):
    if len(arguments) not in (2,3):
        print(__doc__)
        return 2
    box=size(arguments[2]) if len(arguments)==3 else (10,10,10)
    print(show(price(arguments[0],grams(arguments[1]),box)))
    return 0
if __name__=='__main__':
    sys.exit(main(sys.argv[1:]))
