"""A convolutional network on log-mel spectrograms."""

from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from genrescope.errors import TrainingError
from genrescope.models.augmentation import Augmentation
from genrescope.models.device import (
    announce,
    pick_device,
    reproducible,
    threads,
    where_it_trains,
)
from genrescope.models.estimator import GenreClassifier, Validation, class_weights, seed_of
from genrescope.models.maps import (
    Maps,
    check_finite,
    checked_maps,
    logits_of,
    standardisation,
)
from genrescope.models.memory import reused_blocks
from genrescope.models.network import GenreNetwork
from genrescope.models.network_file import read_network, write_network
from genrescope.models.place import cluster
from genrescope.models.training import Clips, Schedule, train

if TYPE_CHECKING:
    from genrescope.models.bundle_info import BundleInfo


class CnnClassifier(GenreClassifier):
    """The paper's network: three convolution blocks, global average pooling, two dense layers.

    The paper gives the layers alone; the defaults are what is usual for networks of this size.

    Parameters
    ----------
    epochs : int
        Passes over the training clips, at most.
    batch_size : int
        Clips per step.
    learning_rate : float
        Of AdamW; its authors' 0.001.
    weight_decay : float
        Decoupled, of AdamW (Loshchilov and Hutter 2019). Light: dropout does most of the work.
    dropout : float
        Share of the hidden layer that is left out in training.
    patience : int, optional
        Epochs without a lower validation loss before training stops and the best weights are
        put back. Without validation clips, or with None, every epoch is trained and the last
        weights stay: nothing is held out behind the caller's back.
    class_weight : {"balanced"}, dict or None
        Weights of the classes in the loss, in validation too. Balanced: genres are rarely equally
        frequent, and macro-F1 is what is reported.
    normalisation : {"global", "band", "none"}
        Standardise by the mean and deviation of the training clips: one pair for all, a pair per
        mel band, or not at all. They are kept inside the network.
    precision : {"float32", "bfloat16"}
        Of the training arithmetic. bfloat16 is some two times faster on processors that have it
        and slower on others; predictions are float32 either way.
    augmentation : mapping, optional
        How the training clips are varied: strengths by name, as
        `genrescope.models.augmentation.Augmentation` takes them. Not at all where not given; the
        paper has none. Neither validation nor prediction is touched.
    deep_coral : float
        Weight of the loss of `genrescope.models.deep_coral.coral_loss`; above 0, `fit` needs
        unlabelled clips.
    device : str
        `auto`, `cpu`, `cuda`, `cuda:1`.
    n_jobs : int, optional
        Threads; the usable cores where not given.
    verbose : bool
        Whether to show progress.
    random_state : int, RandomState or None
        Seed of weights, dropout and batches. Same seed, processor and threads: same weights (on
        CUDA nearly, where torch warns). torch's own generators are left as they were.

    Attributes
    ----------
    network_ : GenreNetwork
        In evaluation mode, on the CPU.
    classes_ : numpy.ndarray [shape=(n_classes,)]
    input_shape_ : tuple of int
        (n_mels, frames).
    training_curve_ : DataFrame
        `epoch`, `train_loss`, `train_accuracy`, and with validation clips `validation_loss`,
        `validation_accuracy`. Losses are weighted like the training's, in nats; those of
        training are means over the epoch, with dropout and augmentation at work; after mixup a
        clip counts as the genre it has most of. `coral_loss` where there were unlabelled clips.
    best_epoch_ : int
        The epoch whose weights are kept.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(-40, 10, size=(16, 16, 16)).astype(np.float32)
    >>> X[8:, :8] += 30
    >>> model = CnnClassifier(epochs=4, batch_size=8).fit(X, ["high"] * 8 + ["low"] * 8)
    >>> model.predict_proba(X).shape
    (16, 2)
    """

    kind: ClassVar[str] = "cnn"
    input: ClassVar[Any] = "log_mels"
    weights_file: ClassVar[str] = "cnn.safetensors"

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0.0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0.0, None, closed="left")],
        "dropout": [Interval(Real, 0.0, 1.0, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "normalisation": [StrOptions({"global", "band", "none"})],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "augmentation": [dict, None],
        "deep_coral": [Interval(Real, 0.0, None, closed="left")],
        "device": [str],
        "n_jobs": [Integral, None],
        "verbose": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        epochs: int = 60,
        *,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        dropout: float = 0.3,
        patience: int | None = 10,
        class_weight: Any = "balanced",
        normalisation: str = "global",
        precision: str = "float32",
        augmentation: Mapping[str, Any] | None = None,
        deep_coral: float = 0.0,
        device: str = "auto",
        n_jobs: int | None = None,
        verbose: bool = False,
        random_state: Any = 0,
    ) -> None:
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.patience = patience
        self.class_weight = class_weight
        self.normalisation = normalisation
        self.precision = precision
        self.augmentation = augmentation
        self.deep_coral = deep_coral
        self.device = device
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.non_deterministic = False
        return tags

    def check_params(self) -> None:
        """Refuse parameters out of range, and devices that are not there.

        Raises
        ------
        ConfigError
            Naming the parameter.
        """
        super().check_params()
        Augmentation.from_params(self.augmentation)
        pick_device(self.device)

    def fit(self, X: Any, y: Any, *, validation: Validation = None, unlabelled: Any = None) -> Self:
        """Train the network, on one machine: a GPU, and that a cluster stays idle, is announced.

        Parameters
        ----------
        X : array-like [shape=(n, n_mels, frames)]
            Log-mel spectrograms, decibels. A memory-mapped array is read by batches and never
            held whole.
        y : array-like [shape=(n,)]
            Genres.
        validation : tuple of (X, y), optional
            Clips whose loss decides when to stop. Their genres must occur in `y`.
        unlabelled : array-like [shape=(m, n_mels, frames)], optional
            Clips of the target, for Deep CORAL; read by batches like `X`.

        Returns
        -------
        CnnClassifier
            Itself.

        Raises
        ------
        TrainingError
            Where all clips are of one class, validation clips are of an unknown one, or the loss
            diverges; where `deep_coral` lacks unlabelled clips, or they have no use.
        ValueError
            Where shapes or values are not as above.
        """
        self.check_params()
        maps = checked_maps(X)
        check_consistent_length(maps, y)
        codes = self._encode(column_or_1d(y, warn=True))
        self.input_shape_ = (int(maps.shape[1]), int(maps.shape[2]))
        self.n_features_in_ = self.input_shape_[0]
        clips, held = Clips(maps, codes), None
        if validation is not None:
            held_maps = self._fitting_maps(validation[0])
            check_consistent_length(held_maps, validation[1])
            held = Clips(held_maps, self._encode_validation(validation[1]))
        target = self._target_maps(unlabelled)
        seed, device = seed_of(self.random_state), pick_device(self.device)
        if device.type == "cuda" or cluster() is not None:
            announce(where_it_trains(device, self.n_jobs))
        weights = class_weights(self.class_weight, self.classes_, codes)
        with threads(self.n_jobs), reused_blocks(), reproducible(seed, device):
            network = GenreNetwork(
                len(self.classes_), n_mels=self.input_shape_[0], dropout=self.dropout
            )
            network.mean, network.scale = standardisation(maps, self.normalisation)
            trained = train(
                network.to(device),
                clips,
                held,
                self._schedule(seed),
                unlabelled=target,
                weights=torch.tensor(weights, dtype=torch.float32, device=device),
                device=device,
            )
        self.network_ = network.to("cpu").eval()
        self.training_curve_ = trained.curve
        self.best_epoch_ = trained.best_epoch
        return self

    def _schedule(self, seed: int) -> Schedule:
        return Schedule(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            patience=self.patience,
            bfloat16=self.precision == "bfloat16",
            augmentation=Augmentation.from_params(self.augmentation),
            deep_coral=self.deep_coral,
            seed=seed,
            verbose=self.verbose,
        )

    def _target_maps(self, unlabelled: Any) -> Maps | None:
        if (unlabelled is not None) != (self.deep_coral > 0):
            raise TrainingError(
                f"deep_coral is {self.deep_coral:g}: it needs unlabelled clips above 0, and "
                "unlabelled clips have no use at 0"
            )
        if unlabelled is None:
            return None
        maps = self._fitting_maps(unlabelled)
        check_finite(maps)
        return maps

    def _fitting_maps(self, X: Any) -> Maps:
        maps = checked_maps(X)
        if maps.shape[1:] != self.input_shape_:
            raise ValueError(
                f"X has maps of {maps.shape[1]} bands and {maps.shape[2]} frames, the network was "
                f"trained on {self.input_shape_[0]} and {self.input_shape_[1]}"
            )
        return maps

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Softmax of the network's logits.

        Parameters
        ----------
        X : array-like [shape=(n, n_mels, frames)]
            Log-mel spectrograms, decibels; read by batches.

        Returns
        -------
        numpy.ndarray [shape=(n, n_classes)]
            In [0, 1], rows sum to 1, columns as `classes_`.
        """
        check_is_fitted(self)
        maps, device = self._fitting_maps(X), pick_device(self.device)
        with threads(self.n_jobs):
            try:
                logits = logits_of(self.network_.to(device), maps, device)
            finally:
                self.network_.to("cpu")
        probabilities: npt.NDArray[np.float64] = torch.softmax(logits, dim=1).numpy()
        return probabilities

    def save_weights(self, folder: Path) -> list[str]:
        """Write weights and buffers as `cnn.safetensors`."""
        write_network(self.network_, folder / self.weights_file)
        return [self.weights_file]

    @classmethod
    def load_weights(cls, folder: Path, info: "BundleInfo") -> Self:
        """Read `cnn.safetensors` and check names, shapes and values.

        Raises
        ------
        BundleError
            Where they are not those of this network.
        """
        model = cls(**info.params)._restore(info)
        model.input_shape_ = (info.input_shape[0], info.input_shape[1])
        with torch.device("meta"):
            network = GenreNetwork(
                len(info.classes), n_mels=info.input_shape[0], dropout=model.dropout
            )
        read_network(network, folder / cls.weights_file)
        model.network_ = network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        return model
