"""The way out of the e-mails: the signed link, and the page that it leads to."""
