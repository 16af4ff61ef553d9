package dev.sparkmla.jobs.output;

import dev.sparkmla.jobs.input.InputFiles;
import dev.sparkmla.plugin.location.ModelFingerprint;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * What one run of a job generates its slices with, as it is kept beside them. Immutable.
 *
 * @param settings what decides on a row's results, by the name that a person knows it by; the
 *     version of this program is among them
 * @param model digests of the model's files
 * @param files of the input, in the order of the rows' numbers
 * @param columns of the output, each with its type; empty where every row says its own
 */
record JobRecord(
    Map<String, String> settings,
    Map<String, String> model,
    List<InputFile> files,
    List<String> columns) {

  /**
   * A file of the input.
   *
   * @param name as a person writes it
   * @param size in bytes
   * @param modified when it was changed last, in milliseconds since 1970
   * @param rows how many it has
   */
  record InputFile(String name, long size, long modified, long rows) {}

  /** Copies what it is given. */
  JobRecord {
    settings = new TreeMap<>(settings);
    model = new TreeMap<>(model);
    files = List.copyOf(files);
    columns = List.copyOf(columns);
  }

  /** How many rows the input's files have. */
  long rows() {
    return files.stream().mapToLong(InputFile::rows).sum();
  }

  /**
   * What is known of a run before its input is read: which settings differ, and which files.
   *
   * @param free names of settings that may differ
   */
  List<String> differences(
      Map<String, String> newSettings, Set<String> free, List<InputFiles.Listed> listed) {
    List<String> differences = new ArrayList<>();
    TreeSet<String> names = new TreeSet<>(settings.keySet());
    names.addAll(newSettings.keySet());
    names.removeAll(free);
    for (String name : names) {
      String was = settings.getOrDefault(name, "not given");
      String is = newSettings.getOrDefault(name, "not given");
      if (!was.equals(is)) {
        differences.add(name + " was " + was + " and is " + is);
      }
    }
    Map<String, InputFiles.Listed> present =
        listed.stream().collect(Collectors.toMap(InputFiles.Listed::name, file -> file));
    for (InputFile file : files) {
      InputFiles.Listed now = present.get(file.name());
      if (now == null) {
        differences.add("the input has no file " + file.name() + " any more");
      } else if (now.size() != file.size() || now.modified() != file.modified()) {
        differences.add("the input's file " + file.name() + " has changed");
      }
    }
    return differences;
  }

  /** What a run finds out once model and input are read: what differs in them. */
  List<String> differences(JobRecord now) {
    List<String> differences = new ArrayList<>();
    new ModelFingerprint(model)
        .differences(new ModelFingerprint(now.model))
        .forEach(file -> differences.add("the model's " + file + " is another"));
    Map<String, Long> rows =
        now.files.stream().collect(Collectors.toMap(InputFile::name, InputFile::rows));
    for (InputFile file : files) {
      long found = rows.getOrDefault(file.name(), 0L);
      if (found != file.rows()) {
        differences.add(
            "the input's file " + file.name() + " had " + file.rows() + " rows and has " + found);
      }
    }
    if (!columns.equals(now.columns)) {
      List<String> added = new ArrayList<>(now.columns);
      added.removeAll(columns);
      List<String> gone = new ArrayList<>(columns);
      gone.removeAll(now.columns);
      differences.add(
          "the output's columns are others: "
              + (gone.isEmpty() ? "" : "there were " + String.join(", ", gone))
              + (gone.isEmpty() || added.isEmpty() ? "" : ", ")
              + (added.isEmpty() ? "" : "there are " + String.join(", ", added)));
    }
    return differences;
  }

  /** The input's files in the order of the rows' numbers: new ones come after those of before. */
  List<InputFiles.Listed> inOrder(List<InputFiles.Listed> listed) {
    Map<String, InputFiles.Listed> present = new LinkedHashMap<>();
    listed.forEach(file -> present.put(file.name(), file));
    List<InputFiles.Listed> ordered = new ArrayList<>();
    files.forEach(file -> ordered.add(present.remove(file.name())));
    ordered.addAll(present.values());
    return ordered;
  }
}
