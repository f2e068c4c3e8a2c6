"""Attribution of the similarity of two photos to their parts."""
