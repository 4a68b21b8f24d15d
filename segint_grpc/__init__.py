"""SegInt's core: takes scans in, keeps jobs, runs the groups' models, gives masks back.

One request, file by file: api/segmentation.py → service/submission.py and intake.py →
wire/model_input_reader.py → store/jobs.py → service/unpacking.py → service/dispatcher.py →
worker/pool.py → worker/job_run.py → backends/ → wire/model_output_writer.py → service/jobs.py.
"""

__version__ = "0.1.0"
