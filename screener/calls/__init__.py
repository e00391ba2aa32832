"""What happens on the telephone: calls taken, screened, put through and written down."""
