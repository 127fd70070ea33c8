"""The old place of :mod:`ingest.addresses`; goes when nothing imports it any more."""

from ingest.addresses.door import MISSING as MISSING
from ingest.addresses.door import ParsedAddress as ParsedAddress
from ingest.addresses.parser import parse_address as parse_address
