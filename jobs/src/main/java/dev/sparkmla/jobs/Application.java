package dev.sparkmla.jobs;

import dev.sparkmla.plugin.MlaConf;
import dev.sparkmla.plugin.MlaPlugin;
import dev.sparkmla.sql.MlaExtensions;
import java.util.Arrays;
import java.util.regex.Pattern;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkException;
import org.apache.spark.sql.SparkSession;

/** The settings of the job's Spark application: spark-submit's, the command line's, and its own. */
final class Application {
  private static final String MASTER = "spark.master";
  private static final String NAME = "spark.app.name";

  /** Spark-submit names an application that has no name by its main class, or else by its jar. */
  private static final Pattern UNNAMED =
      Pattern.compile(Pattern.quote(GenerateJob.class.getName()) + "|.*\\.jar");

  /** How Spark says that a cluster gave the application up while it started. */
  private static final String STOPPED = "Cannot call methods on a stopped SparkContext";

  private static final String PLUGINS = "spark.plugins";
  private static final String EXTENSIONS = "spark.sql.extensions";

  private Application() {}

  /**
   * Settings with which the application has the plugin, the functions and a model.
   *
   * @throws JobException when executors could not read the embedded model
   */
  static SparkConf conf(GenerateOptions options, EmbeddedFiles embedded) {
    SparkConf conf = new SparkConf();
    options.conf.forEach(conf::set);
    options.master.ifPresent(master -> conf.set(MASTER, master));
    conf.setIfMissing(MASTER, "local[*]");
    if (!conf.contains(NAME) || UNNAMED.matcher(conf.get(NAME)).matches()) {
      conf.set(
          NAME,
          "Spark MLA: generate " + options.output.or(() -> options.outputTable).orElse("the demo"));
    }
    conf.setIfMissing("spark.ui.showConsoleProgress", "false");
    if (runsOnThisMachine(conf)) {
      // So that the progress line moves; on a cluster many executors would report too often. Less
      // than this, and a first heartbeat may come before Spark knows its own executor.
      conf.setIfMissing("spark.executor.heartbeatInterval", "5s");
    }
    // Columns that are only carried along come out as they went in.
    conf.set("spark.sql.sources.partitionColumnTypeInference.enabled", "false");
    conf.setIfMissing("spark.sql.timeType.enabled", "true");
    conf.setIfMissing("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS");
    // Without a locale of UTF-8, Java opens no file with an accent in its name.
    conf.setIfMissing("spark.executorEnv.LC_ALL", "C.UTF-8");
    if (!MlaPlugin.isIn(conf)) {
      append(conf, PLUGINS, MlaPlugin.class.getName());
    }
    if (!Arrays.asList(conf.get(EXTENSIONS, "").split("\\s*,\\s*"))
        .contains(MlaExtensions.class.getName())) {
      append(conf, EXTENSIONS, MlaExtensions.class.getName());
    }
    options.backend.ifPresent(backend -> conf.set(MlaConf.BACKEND.key(), backend.toString()));
    options.model.ifPresent(model -> conf.set(MlaConf.MODEL_PATH.key(), model));
    if (!conf.contains(MlaConf.MODEL_PATH.key())) {
      if (!runsOnThisMachine(conf)) {
        throw new JobException(
            "the embedded model is on this machine alone, and the master is "
                + conf.get(MASTER)
                + "; give --model a folder that every executor can read, or its URI");
      }
      conf.set(MlaConf.MODEL_PATH.key(), embedded.model().toString());
      conf.setIfMissing(MlaConf.MODEL_NAME.key(), EmbeddedFiles.MODEL_NAME);
    }
    return conf;
  }

  /**
   * Starts the application.
   *
   * @throws JobException when Spark knows no such master, or cannot reach it
   */
  static SparkSession start(SparkConf conf) {
    try {
      return SparkSession.builder().config(conf).getOrCreate();
    } catch (Exception problem) { // Scala does not declare what it throws.
      if (problem.getMessage() != null && problem.getMessage().startsWith(STOPPED)) {
        throw new JobException(
            "the master "
                + conf.get(MASTER)
                + " cannot be reached, or ended the application as it started; see that it runs,"
                + " and its log",
            problem);
      }
      if (problem instanceof SparkException && problem.getCause() == null) {
        throw new JobException(
            "Spark does not start with the master "
                + conf.get(MASTER)
                + ": "
                + problem.getMessage()
                + "; expected local[N], local[*], spark://HOST:PORT, yarn or k8s://URL",
            problem);
      }
      throw problem;
    }
  }

  /** Starts one that generates nothing, and so loads no model. */
  static SparkSession startWithoutModel(SparkConf conf) {
    return start(MlaPlugin.without(conf));
  }

  /** Also local-cluster, whose executors find the driver's files. */
  private static boolean runsOnThisMachine(SparkConf conf) {
    return conf.get(MASTER).startsWith("local");
  }

  private static void append(SparkConf conf, String key, String name) {
    String present = conf.get(key, "");
    conf.set(key, present.isBlank() ? name : present + "," + name);
  }
}
