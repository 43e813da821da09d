"""Why a model answered as it did: Shapley values of features, class activation maps of spectra."""
