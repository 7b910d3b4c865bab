"""Networks: an encoder for each kind of modality, and the parts that objectives put behind them."""
