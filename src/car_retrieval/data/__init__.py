"""Tables of photos: public datasets, user folders, splits and protocols."""
