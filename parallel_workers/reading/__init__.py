"""From the text of a file the user wrote to checked values, with every problem found and the line it is on."""
