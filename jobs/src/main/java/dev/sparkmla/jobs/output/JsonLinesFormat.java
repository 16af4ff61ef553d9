package dev.sparkmla.jobs.output;

import org.apache.hadoop.mapreduce.Job;
import org.apache.hadoop.mapreduce.TaskAttemptContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.execution.datasources.CodecStreams;
import org.apache.spark.sql.execution.datasources.OutputWriter;
import org.apache.spark.sql.execution.datasources.OutputWriterFactory;
import org.apache.spark.sql.execution.datasources.text.TextFileFormat;
import org.apache.spark.sql.types.StructType;
import scala.collection.immutable.Map;

/**
 * Writes lines of JSON that are made already: Spark's format of text files, with names that say
 * what is in them.
 */
final class JsonLinesFormat extends TextFileFormat {
  private static final long serialVersionUID = 1L;

  @Override
  public OutputWriterFactory prepareWrite(
      SparkSession spark, Job job, Map<String, String> options, StructType schema) {
    return new Named(super.prepareWrite(spark, job, options, schema));
  }

  private static final class Named extends OutputWriterFactory {
    private static final long serialVersionUID = 1L;

    private final OutputWriterFactory text;

    private Named(OutputWriterFactory text) {
      this.text = text;
    }

    @Override
    public String getFileExtension(TaskAttemptContext context) {
      return ".json" + CodecStreams.getCompressionExtension(context);
    }

    @Override
    public OutputWriter newInstance(String path, StructType schema, TaskAttemptContext context) {
      return text.newInstance(path, schema, context);
    }
  }
}
