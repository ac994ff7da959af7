// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// QTEST_GUILESS_MAIN with the BLAS set up as the programs do it.
#include "core/base/blas_threads.h"

#include <QCoreApplication>
#include <QTest>

#define TAMIS_BLAS_TEST_MAIN(TestClass)                                                                                       \
    int main(int argc, char** argv)                                                                                           \
    {                                                                                                                         \
        tamis::prepareBlas(argv);                                                                                             \
        QCoreApplication application(argc, argv);                                                                             \
        TestClass test;                                                                                                       \
        return QTest::qExec(&test, argc, argv);                                                                               \
    }
