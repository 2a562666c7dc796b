"""What each kind of data asks of training and evaluation. Only this package knows kinds: images to classify, sequences."""
