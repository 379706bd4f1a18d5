"""The record and its life: sources, splits, records, files, pairs, and the pipeline, report and preview of stage 1."""
