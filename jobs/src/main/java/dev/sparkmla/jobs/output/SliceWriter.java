package dev.sparkmla.jobs.output;

import dev.sparkmla.jobs.input.NumberedRows;
import dev.sparkmla.jobs.input.RowRange;
import java.io.IOException;
import java.io.Serializable;
import java.util.Arrays;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSError;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.mapreduce.Job;
import org.apache.hadoop.mapreduce.TaskAttemptContext;
import org.apache.hadoop.mapreduce.TaskAttemptID;
import org.apache.hadoop.mapreduce.TaskType;
import org.apache.hadoop.mapreduce.task.TaskAttemptContextImpl;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.execution.QueryExecution;
import org.apache.spark.sql.execution.SQLExecution;
import org.apache.spark.sql.execution.datasources.DataSourceUtils;
import org.apache.spark.sql.execution.datasources.FileFormat;
import org.apache.spark.sql.execution.datasources.OutputWriter;
import org.apache.spark.sql.execution.datasources.OutputWriterFactory;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.SerializableConfiguration;
import scala.Function2;
import scala.Option;
import scala.collection.Iterator;
import scala.reflect.ClassTag$;
import scala.runtime.AbstractFunction2;
import scala.runtime.BoxedUnit;

/**
 * Writes numbered rows in slices. A slice is written to a file of its own under a name that no
 * reader takes for output, and committed by renaming it to {@link Slice#name}. Each task commits
 * one slice after another while the engine works on its next rows, so that committing leaves no
 * engine idle. Immutable; tasks work with copies.
 */
final class SliceWriter implements Serializable {
  private static final long serialVersionUID = 1L;

  private final String folder;
  private final String unwritten;
  private final int run;
  private final SliceLimits limits;
  private final StructType columns;
  private final OutputWriterFactory writers;
  private final SerializableConfiguration configuration;

  private SliceWriter(
      Path folder,
      Path unwritten,
      int run,
      SliceLimits limits,
      StructType columns,
      OutputWriterFactory writers,
      Configuration configuration) {
    this.folder = folder.toString();
    this.unwritten = unwritten.toString();
    this.run = run;
    this.limits = limits;
    this.columns = columns;
    this.writers = writers;
    this.configuration = new SerializableConfiguration(configuration);
  }

  /**
   * Writes a Dataset, each partition in a task.
   *
   * @param rows the output's columns and, as the last one, {@link NumberedRows#NUMBER}
   * @param folder where slices are committed
   * @param unwritten where they are until then
   * @param run the number of this run
   */
  static void write(
      Dataset<Row> rows,
      OutputFormat format,
      Path folder,
      Path unwritten,
      int run,
      SliceLimits limits)
      throws IOException {
    SparkSession spark = (SparkSession) rows.sparkSession();
    QueryExecution execution = ((org.apache.spark.sql.classic.Dataset<Row>) rows).queryExecution();
    StructType columns = rows.drop(NumberedRows.NUMBER).schema().asNullable();
    FileFormat files = format.writer();
    DataSourceUtils.verifySchema(files, columns, false);
    Job job = Job.getInstance(spark.sessionState().newHadoopConf());
    job.setOutputKeyClass(Void.class);
    job.setOutputValueClass(InternalRow.class);
    OutputWriterFactory writers =
        files.prepareWrite(
            spark, job, scala.collection.immutable.Map$.MODULE$.<String, String>empty(), columns);
    SliceWriter writer =
        new SliceWriter(folder, unwritten, run, limits, columns, writers, job.getConfiguration());
    SQLExecution.withNewExecutionId(
        execution,
        Option.apply("generate"),
        () -> {
          spark
              .sparkContext()
              .runJob(execution.toRdd(), writer.task(), ClassTag$.MODULE$.apply(BoxedUnit.class));
          return BoxedUnit.UNIT;
        });
  }

  private Function2<TaskContext, Iterator<InternalRow>, BoxedUnit> task() {
    return new Task(this);
  }

  private static final class Task
      extends AbstractFunction2<TaskContext, Iterator<InternalRow>, BoxedUnit>
      implements Serializable {
    private static final long serialVersionUID = 1L;

    private final SliceWriter writer;

    Task(SliceWriter writer) {
      this.writer = writer;
    }

    @Override
    public BoxedUnit apply(TaskContext context, Iterator<InternalRow> rows) {
      writer.write(context, rows);
      return BoxedUnit.UNIT;
    }
  }

  private void write(TaskContext context, Iterator<InternalRow> rows) {
    int number = columns.size();
    UnsafeProjection toOutput =
        UnsafeProjection.create(
            Arrays.stream(columns.fields()).map(StructField::dataType).toArray(DataType[]::new));
    try (OpenSlice slice = new OpenSlice(context)) {
      for (InternalRow row = next(rows, slice); row != null; row = next(rows, slice)) {
        slice.write(toOutput.apply(row), row.getLong(number));
      }
      slice.commit();
    }
  }

  /** The next row, or null. Where it cannot be had, those that were written are kept. */
  private static InternalRow next(Iterator<InternalRow> rows, OpenSlice slice) {
    try {
      return rows.hasNext() ? rows.next() : null;
    } catch (Throwable failed) { // Scala does not declare what it throws.
      try {
        slice.commit();
      } catch (OutputException alsoFailed) {
        failed.addSuppressed(alsoFailed);
      }
      throw failed;
    }
  }

  private OutputException cannotBeWritten(Throwable problem) {
    return new OutputException(
        "the output cannot be written to " + folder + ": " + problem.getMessage(), problem);
  }

  /** The slice that a task writes, if it has begun one. */
  private final class OpenSlice implements AutoCloseable {
    private final Configuration conf = configuration.value();
    private final TaskAttemptContext attempt;
    private final long attemptId;
    private OutputWriter writer;
    private long first;
    private long next;
    private long start;

    OpenSlice(TaskContext context) {
      attemptId = context.taskAttemptId();
      attempt =
          new TaskAttemptContextImpl(
              conf,
              new TaskAttemptID(
                  "generate",
                  context.stageId(),
                  TaskType.REDUCE,
                  context.partitionId(),
                  context.attemptNumber()));
    }

    void write(InternalRow row, long number) {
      if (writer != null && (number != next || isFull())) {
        commit();
      }
      try {
        if (writer == null) {
          String name = UUID.randomUUID() + writers.getFileExtension(attempt);
          writer = writers.newInstance(new Path(unwritten, name).toString(), columns, attempt);
          first = number;
          start = System.nanoTime();
        }
        writer.write(row);
      } catch (Exception | FSError problem) { // Scala does not declare what it throws.
        throw cannotBeWritten(problem);
      }
      next = number + 1;
    }

    private boolean isFull() {
      return next - first >= limits.rows() || System.nanoTime() - start >= limits.time().toNanos();
    }

    void commit() {
      if (writer == null) {
        return;
      }
      Path written = new Path(writer.path());
      Slice slice =
          new Slice(new RowRange(first, next), run, attemptId, writers.getFileExtension(attempt));
      Path committed = new Path(folder, slice.name());
      try {
        writer.close();
        if (!committed.getFileSystem(conf).rename(written, committed)) {
          throw new IOException(written + " cannot be renamed to " + committed);
        }
      } catch (Exception | FSError problem) { // Scala does not declare what it throws.
        throw cannotBeWritten(problem);
      }
      writer = null;
    }

    /** Drops the slice if it was not committed. */
    @Override
    public void close() {
      if (writer != null) {
        Path written = new Path(writer.path());
        try {
          writer.close();
        } catch (Exception | FSError alreadyFailed) {
          // What made the slice fail is on its way up.
        }
        try {
          written.getFileSystem(conf).delete(written, false);
        } catch (IOException | FSError left) {
          // The next run deletes it, and no reader takes it for output.
        }
      }
    }
  }
}
