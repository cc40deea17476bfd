"""What a document says of itself: company, period, day, kind and title, from its cover and its name."""
