"""The convolutional network of the study, as a torch module with named parts."""

from collections import OrderedDict

import torch
from torch import nn

CHANNELS = (32, 64, 128)
HIDDEN = 256
SMALLEST = 2 ** len(CHANNELS)  # bands or frames: each block halves both


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """Convolution, batch norm, ReLU and pooling.

    ReLU follows the pooling: maxima and ReLU commute, so the result is the same to the bit, and
    ReLU then works on a quarter of the values. The convolution has no bias, since batch norm
    would take it away.
    """
    return nn.Sequential(
        OrderedDict(
            convolution=nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            batch_norm=nn.BatchNorm2d(outputs),
            pooling=nn.MaxPool2d(2),
            relu=nn.ReLU(inplace=True),
        )
    )


class GenreNetwork(nn.Module):
    """Three convolution blocks, global average pooling, two fully connected layers.

    Parameters
    ----------
    n_classes : int
    n_mels : int
        Bands of the input; frames may be any number from 8 up.
    dropout : float
        Share of the 256 hidden values that training leaves out.

    Attributes
    ----------
    mean, scale : torch.Tensor [shape=(n_mels, 1)]
        What the input is standardised by; buffers, so that they travel with the weights.
    block1, block2, block3 : torch.nn.Sequential
        Each with `convolution`, `batch_norm`, `pooling`, `relu`; 32, 64 and 128 channels.
    hidden, output : torch.nn.Linear

    Examples
    --------
    >>> network = GenreNetwork(4).eval()
    >>> network(torch.zeros(2, 128, 128)).shape
    torch.Size([2, 4])
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, n_classes: int, *, n_mels: int = 128, dropout: float = 0.3) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_mels, 1))
        self.register_buffer("scale", torch.ones(n_mels, 1))
        self.block1 = _block(1, CHANNELS[0])
        self.block2 = _block(CHANNELS[0], CHANNELS[1])
        self.block3 = _block(CHANNELS[1], CHANNELS[2])
        self.hidden = nn.Linear(CHANNELS[2], HIDDEN)
        self.hidden_relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(HIDDEN, n_classes)
        # Channels last is the layout the CPU's convolutions work in: a third faster, measured.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def blocks(self) -> tuple[nn.Sequential, ...]:
        """The three convolution blocks, in order."""
        return self.block1, self.block2, self.block3

    @property
    def last_convolution(self) -> nn.Conv2d:
        """The layer whose activations Grad-CAM weighs [shape=(n, 128, n_mels / 4, frames / 4)]."""
        layer = self.block3.get_submodule("convolution")
        assert isinstance(layer, nn.Conv2d)
        return layer

    def forward(self, log_mels: torch.Tensor) -> torch.Tensor:
        """Logits of clips.

        Parameters
        ----------
        log_mels : torch.Tensor [shape=(n, n_mels, frames)]
            Decibels.

        Returns
        -------
        torch.Tensor [shape=(n, n_classes)]
        """
        return self.classify(self.represent(log_mels))

    def represent(self, log_mels: torch.Tensor) -> torch.Tensor:
        """The hidden values of clips, what the network knows of them [shape=(n, 256)]."""
        return self._hide(self.convolve(self.standardise(log_mels)).mean(dim=(2, 3)))

    def classify(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits from hidden values [shape=(n, 256)]."""
        logits: torch.Tensor = self.output(self.dropout(hidden))
        return logits

    def _hide(self, pooled: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.hidden_relu(self.hidden(pooled))
        return hidden

    def standardise(self, log_mels: torch.Tensor) -> torch.Tensor:
        """The input about the mean of the training clips, which becomes 0."""
        return (log_mels - self.mean) / self.scale

    def convolve(self, standardised: torch.Tensor) -> torch.Tensor:
        """What the three blocks see of standardised spectrograms, or of cuttings from them.

        Parameters
        ----------
        standardised : torch.Tensor [shape=(n, height, width)]

        Returns
        -------
        torch.Tensor [shape=(n, 128, height // 8, width // 8)]
            The place (i, j) depends on the rows 8 i - 7 to 8 i + 14 and the like columns.
        """
        x = standardised[:, None].contiguous(memory_format=torch.channels_last)
        seen: torch.Tensor = self.block3(self.block2(self.block1(x)))
        return seen

    def decide(self, pooled: torch.Tensor) -> torch.Tensor:
        """Logits from what the blocks saw on average [shape=(n, 128)]."""
        return self.classify(self._hide(pooled))
