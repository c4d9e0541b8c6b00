cd /work/ch03; export PYTHONPATH=/work/ch03 PATH=/work/main/.venv/bin:$PATH OMP_NUM_THREADS=1
while kill -0 5608 2>/dev/null; do sleep 5; done
for j in decay few_labels mnist; do python -m tools.precompute 03/$j; done
