// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/figure.h"
#include "views/common/method_form.h"

#include <QWidget>

#include <vector>

class QCheckBox;
class QLabel;
class QPushButton;
class QVBoxLayout;

namespace tamis::views {

class AddressingPage;
class ElidedLabel;

/// A method of sparse addressing with its parameters and the tokens that it is fitted to beside what its reads cost. What the user asks for is a
/// signal; nothing is computed here.
class AddressingBench : public QWidget {
    Q_OBJECT
public:
    explicit AddressingBench(QWidget* parent = nullptr);
    void setMethods(const std::vector<OfferedMethod>& methods);
    void setChoice(const QString& method, const Parameters& parameters);
    void setCalibration(const QString& file);      ///< that tables and memories are fitted to; empty: none is chosen
    void setDisabledReason(const QString& reason); ///< why nothing can be measured now, said below the button; empty: it can
    void setRunning(bool running);                 ///< Stop in place of the button that measures
    void setTimesReaders(bool timed); ///< without a signal
    AddressingPage* page() const { return m_page; }

signals:
    void methodEdited(const QString& method);
    void parameterEdited(const QString& name, const tamis::ParameterValue& value, bool finished);
    void readersToggled(bool timed);
    void calibrationRequested();
    void measureRequested();
    void stopRequested();
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    void addWhatIsMeasured(QVBoxLayout* column);

    MethodForm* m_form;
    AddressingPage* m_page;
    ElidedLabel* m_file = nullptr;
    QCheckBox* m_readers = nullptr;
    QPushButton *m_measure = nullptr, *m_stop = nullptr;
    QLabel* m_reason = nullptr;
};

} // namespace tamis::views
