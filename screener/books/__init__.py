"""Address books: vCard, CSV and CardDAV read into the household's allow list, and written again."""
