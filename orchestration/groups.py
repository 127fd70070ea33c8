"""The groups of the asset graph: one a station, in order of flow, set in this one place."""

INGEST = "s1_ingest"
STAGING = "s2_staging"
LINKAGE = "s3_linkage"
MASTER = "s4_master"
QUALITY = "s5_quality"
PUBLISH = "s6_publish"
REFERENCE = "s0_reference"

GROUP_OF_SCHEMA = {
    "reference": REFERENCE,
    "ops": INGEST,
    "raw": INGEST,
    "staging": STAGING,
    "linkage": LINKAGE,
    "master": MASTER,
    "candidate": MASTER,
    "quality": QUALITY,
    "release": PUBLISH,
    "published": PUBLISH,
}

# Tables that stand with another station than their schema's: what a supplier is scored by goes into the receipt, which is
# part of taking a delivery in; in its schema's group it would draw an arrow backwards through the graph.
GROUP_OF_TABLE = {"quality/supplier_scorecard": INGEST}
