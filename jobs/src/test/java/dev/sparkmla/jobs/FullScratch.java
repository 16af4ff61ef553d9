package dev.sparkmla.jobs;

import java.io.InputStream;
import java.io.OutputStream;
import org.apache.spark.SparkConf;
import org.apache.spark.io.CompressionCodec;

/** A codec that leaves bytes as they are, and writes to a {@link FullDisk}. */
public final class FullScratch implements CompressionCodec {
  /** Called by Spark. */
  public FullScratch(SparkConf conf) {}

  @Override
  public OutputStream compressedOutputStream(OutputStream file) {
    return new FullDisk(file);
  }

  @Override
  public InputStream compressedInputStream(InputStream file) {
    return file;
  }
}
