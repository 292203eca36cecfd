namespace mezzo {}
