package dev.sparkmla.jobs.output;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * The records of an output's runs: what each of them generates its slices with.
 *
 * @param system where the folder is
 * @param folder has a file for each run
 */
record RunRecords(FileSystem system, Path folder) {
  private static final Pattern NAME = Pattern.compile("run-(\\d{6})\\.json");
  private static final ObjectMapper JSON = new ObjectMapper();

  /** The number of the last run that has begun; 0 where none has. */
  int lastRun() throws IOException {
    int last = 0;
    for (FileStatus file : system.listStatus(folder)) {
      Matcher name = NAME.matcher(file.getPath().getName());
      if (name.matches()) {
        last = Math.max(last, Integer.parseInt(name.group(1)));
      }
    }
    return last;
  }

  /** The newest record that is whole: a run writes slices after it has written its record. */
  JobRecord last() throws IOException {
    for (int number = lastRun(); number > 0; number--) {
      try (FSDataInputStream content = system.open(file(number))) {
        return JSON.readValue(content.readAllBytes(), JobRecord.class);
      } catch (JsonProcessingException cutOff) {
        // The run before it had the same settings.
      }
    }
    throw new OutputException(
        folder.getParent()
            + " has slices and no record of what they were generated with; delete it, or start"
            + " over with --force");
  }

  /**
   * Begins a run.
   *
   * @return its number
   */
  int add(JobRecord record) throws IOException {
    int next = lastRun() + 1;
    try (OutputStream written = system.create(file(next), false)) {
      written.write(JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(record));
    }
    return next;
  }

  private Path file(int run) {
    return new Path(folder, String.format(Locale.ROOT, "run-%06d.json", run));
  }
}
