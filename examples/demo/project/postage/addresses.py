'''Names and places on a label.'''
def clean(line):
	'''One line without double spaces.

	>>> clean('  Am   Hof 3 ')
	'Am Hof 3'
	'''
	return ' '.join(line.split())
def initials(name) :
	'''First letters of a name's parts.

	>>> initials('ada  lovelace')
	'A.L.'
	'''
	return ''.join(part[0].upper()+'.' for part in name.split())
def block(name,street,place,country):
	'''The lines of an address; the country in capitals, and only abroad.

	>>> block('Ada Lovelace', 'Am Hof 3', '1010 Wien', 'at')
	['Ada Lovelace', 'Am Hof 3', '1010 Wien']
	>>> block('Ada Lovelace', 'St. James 12', 'London', 'gb')[-1]
	'GB'
	'''
	lines=[clean(name),clean(street),clean(place)]
	if country.upper()!='AT': lines.append( country.upper() )
	return lines
