'''Weights in whole grams.'''
GRAMS_PER_OUNCE=28.349523125 #by definition
def from_ounces(ounces):
	'''Whole grams, rounded up: a parcel is never lighter than it is.

	>>> from_ounces(16)
	454
	'''
	grams=ounces*GRAMS_PER_OUNCE
	return int(grams) if grams==int(grams) else int(grams)+1
def volumetric(length,width,height,divisor=5000):
	'''Grams that a box of these centimetres counts for.

	>>> volumetric(40, 30, 20)
	4800
	>>> volumetric(40, 30, 20, divisor=6000)
	4000
	'''
	return length*width*height*1000//divisor
def chargeable( grams,length , width,height ):
	'''The larger of what it weighs and what its volume counts for.

	>>> chargeable(900, 40, 30, 20)
	4800
	>>> chargeable(9000, 40, 30, 20)
	9000
	'''
	return max(grams,volumetric(length,width,height))
