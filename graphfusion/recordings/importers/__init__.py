"""Importers: read the files of data sets and annotation tools as tables of utterances."""
