import time, torch, math
from torch import nn
import torch.nn.functional as F
from companion import regularization as R, models, codelength
from companion.data import load
from companion.device import seed_everything
from companion.training import fit, evaluate, predict
train,test=load('mnist1d'),load('mnist1d',split='test')
torch.set_num_threads(1)
