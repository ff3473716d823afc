'''Reading what people type.'''
def grams(text):
    '''Grams from '750', '750 g' or '1.5kg'.

    >>> grams('750')
    750
    >>> grams('1.5kg')
    1500
    >>> grams(' 20 g')
    20
    '''
    text=text.strip().lower()
    if text.endswith('kg'): return round(float(text[:-2])*1000)
    return int(text.removesuffix('g'))
def size(text):
    '''Three centimetres from '40x30x20'.

    >>> size('40x30x20')
    (40, 30, 20)
    '''
    parts=tuple(int(part) for part in text.lower().split('x'))
    if len(parts)!=3:
        raise ValueError('a size has three numbers, such as 40x30x20')   # shown to the person as it is
    return parts
