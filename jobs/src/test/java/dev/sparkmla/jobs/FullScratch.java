package dev.sparkmla.jobs;

import java.io.InputStream;
import java.io.OutputStream;
import org.apache.spark.SparkConf;
import org.apache.spark.io.CompressionCodec;
import org.apache.spark.util.io.ChunkedByteBufferOutputStream;

/**
 * A codec that leaves bytes as they are, and writes to a {@link FullDisk}; but for what Spark
 * compresses in memory, such as the rows of a collect.
 */
public final class FullScratch implements CompressionCodec {
  /** Called by Spark. */
  public FullScratch(SparkConf conf) {}

  @Override
  public OutputStream compressedOutputStream(OutputStream file) {
    return file instanceof ChunkedByteBufferOutputStream ? file : new FullDisk(file);
  }

  @Override
  public InputStream compressedInputStream(InputStream file) {
    return file;
  }
}
