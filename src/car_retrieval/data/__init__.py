"""Photos as tables: datasets of the field, folders of one's own, splits and protocols."""
