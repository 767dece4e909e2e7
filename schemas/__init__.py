"""The contracts: the asset document, the events, the products. They import nothing of the rest."""
