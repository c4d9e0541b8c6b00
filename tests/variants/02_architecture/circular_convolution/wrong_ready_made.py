# Right values from F.conv1d on a padded series.


def circular_convolution(x: Tensor, weight: Tensor, dilation: int = 1) -> Tensor:
    reach = dilation * (weight.shape[-1] - 1)
    around = torch.arange(-reach, x.shape[-1]) % x.shape[-1]
    return F.conv1d(x[..., around], weight.flip(-1), dilation=dilation)
