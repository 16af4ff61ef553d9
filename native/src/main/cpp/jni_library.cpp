// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The functions of dev.sparkmla.cuda.NativeLibrary: the interface's version, statuses and errors.

#include "dev_sparkmla_cuda_NativeLibrary.h"
#include "spark_mla.h"

static_assert(dev_sparkmla_cuda_NativeLibrary_STATUS_OK == SPARK_MLA_OK &&
                  dev_sparkmla_cuda_NativeLibrary_STATUS_UNSUPPORTED_DEVICE ==
                      SPARK_MLA_UNSUPPORTED_DEVICE &&
                  dev_sparkmla_cuda_NativeLibrary_STATUS_NO_DRIVER == SPARK_MLA_NO_DRIVER &&
                  dev_sparkmla_cuda_NativeLibrary_STATUS_CUDA_ERROR == SPARK_MLA_CUDA_ERROR,
              "NativeLibrary.java and spark_mla.h disagree");

extern "C" {

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_abiVersion(JNIEnv*, jclass) {
  return spark_mla_abi_version();
}

JNIEXPORT jstring JNICALL Java_dev_sparkmla_cuda_NativeLibrary_statusString(JNIEnv* environment,
                                                                            jclass, jint status) {
  return environment->NewStringUTF(spark_mla_status_string(status));
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_lastCudaError(JNIEnv*, jclass) {
  return spark_mla_last_cuda_error();
}

JNIEXPORT jstring JNICALL
Java_dev_sparkmla_cuda_NativeLibrary_lastCudaErrorString(JNIEnv* environment, jclass) {
  return environment->NewStringUTF(spark_mla_last_cuda_error_string());
}

}  // extern "C"
