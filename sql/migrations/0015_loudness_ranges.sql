-- How far the loudness ranges of a pair of duplicates are apart, in LU; null where only a person spoke,
-- or where one of them was not measured.
ALTER TABLE duplicates ADD COLUMN range_lu real;
