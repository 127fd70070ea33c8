-- release: rows stamped with a release number, the pointer, and the gate; published: what others read.
-- The publish station completes this file (content hash function, gate triggers, views, comments).
create schema if not exists release;
create schema if not exists published;
