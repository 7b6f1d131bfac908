"""What a person has, in the formats of an export. Only the function `exporter` and the operators' command come here."""
