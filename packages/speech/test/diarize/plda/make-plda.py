"""Makes the PLDA files here, random but for a fixed seed, and projects three vectors by the generalised eigenproblem of
between- and within-speaker covariances. Prints what plda.test.ts expects. Needs numpy."""

import json
import numpy as np

random = np.random.default_rng(5)
W, D = 6, 4
transform = dict(mean1=random.normal(size=W).astype("f4"), mean2=random.normal(size=D), lda=random.normal(size=(W, D)))
model = dict(mu=random.normal(size=D), tr=random.normal(size=(D, D)), psi=np.array([1.0, 7.0, 3.0, 0.5]))
np.savez("xvec_transform.npz", **transform)
np.savez_compressed("plda.npz", **model)

unit = lambda v: v / np.linalg.norm(v, axis=-1, keepdims=True)
tr, psi = model["tr"], model["psi"]
within, between = np.linalg.inv(tr.T @ tr), np.linalg.inv((tr.T / psi) @ tr)
inverse = np.linalg.inv(np.linalg.cholesky(within))
values, vectors = np.linalg.eigh(inverse @ between @ inverse.T)
x = random.normal(size=(3, W))
mapped = np.sqrt(D) * unit((np.sqrt(W) * unit(x - transform["mean1"])) @ transform["lda"] - transform["mean2"])
projected = (mapped - model["mu"]) @ (inverse.T @ vectors)[:, ::-1]
print(json.dumps(dict(x=x.round(9).tolist(), abs=np.abs(projected).round(6).tolist(), phi=values[::-1].round(9).tolist())))
